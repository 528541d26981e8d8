"""For the tests of a company's own packs, products, providers and front ends."""

from .providers import (
    FileStoreContract,
    NotificationSenderContract,
    PaymentProviderContract,
    RateServiceContract,
    RiskScorerContract,
    SecretsContract,
    TaxServiceContract,
)

__all__ = [
    "FileStoreContract",
    "NotificationSenderContract",
    "PaymentProviderContract",
    "RateServiceContract",
    "RiskScorerContract",
    "SecretsContract",
    "TaxServiceContract",
]
