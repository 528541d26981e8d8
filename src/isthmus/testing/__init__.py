"""For the tests of a company's own packs, products, providers and front ends."""

from .providers import NotificationSenderContract, PaymentProviderContract, SecretsContract

__all__ = ["NotificationSenderContract", "PaymentProviderContract", "SecretsContract"]
