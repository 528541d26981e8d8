"""Invoice keeps what every payment provider has to keep."""

from acme.providers.invoice import InvoiceProvider, Settings

from isthmus.testing import PaymentProviderContract


class TestInvoice(PaymentProviderContract):
    async def provider(self) -> InvoiceProvider:
        return InvoiceProvider("invoice", Settings())
