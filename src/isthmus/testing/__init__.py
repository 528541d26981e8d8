"""For the tests of a company's own packs, products, providers and front ends."""

from .providers import PaymentProviderContract

__all__ = ["PaymentProviderContract"]
