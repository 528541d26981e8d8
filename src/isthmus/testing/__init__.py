"""For the tests of a company's own packs, products, providers and front ends."""

from .providers import PaymentProviderContract, SecretsContract

__all__ = ["PaymentProviderContract", "SecretsContract"]
