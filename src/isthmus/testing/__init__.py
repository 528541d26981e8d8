"""For the tests of a company's own packs, products, providers and front ends."""

from .providers import (
    NotificationSenderContract,
    PaymentProviderContract,
    RateServiceContract,
    SecretsContract,
    TaxServiceContract,
)

__all__ = [
    "NotificationSenderContract",
    "PaymentProviderContract",
    "RateServiceContract",
    "SecretsContract",
    "TaxServiceContract",
]
