"""What tax is due on lines: jurisdictions, their rates by category, and the calculation.

    put ──▶ live ──▶ superseded   another rate was put for the same key

Jurisdictions form a chain by their codes: "CA-BC" lies in "CA". A tax is known by its `name` ("vat", "state",
"county"); of one name the rate of the narrowest jurisdiction counts, and taxes of different names add up. In a
jurisdiction the rate of a category goes before the one for every category (an empty `tax_category`).

Tax that is not included is added: gross = net + tax. Tax that is included is taken out: net = gross − tax. Both hold
to the minor unit for every line, for delivery and for each sum. Rounding is said by the jurisdiction: `line` rounds
each tax of each line; `rate` rounds the sum of each tax once, and shares it out to the lines without losing a minor
unit.

A tax service may say what is due in some jurisdictions instead (`services`). It is asked by `assess` outside of any
transaction, its answer is kept, and `calculate` takes it from there.
"""

# pyright: reportUnusedImport=false

from .errors import (
    BadCursor,
    NegativeAmount,
    NoRate,
    NotAssessed,
    RateRefused,
    RegionNeeded,
    UnknownJurisdiction,
)
from .services import (
    OWN_RATES_ONLY,
    AssessedTax,
    Assessment,
    AssessmentLine,
    AssessmentsForgotten,
    ForgetAssessments,
    LineAssessment,
    TaxService,
    TaxServices,
    TaxSettings,
    connected,
    fitting,
    forget_assessments,
)
from .taxes import (
    ASSESS_DEADLINE_MS,
    JURISDICTIONS_MAX,
    PPM,
    RATES_MAX,
    Calculate,
    ChosenRate,
    Jurisdiction,
    JurisdictionCode,
    JurisdictionPage,
    JurisdictionsPut,
    LineTax,
    ListJurisdictions,
    ListRates,
    Ppm,
    PutJurisdictions,
    PutRates,
    Rate,
    RateEntry,
    RatePage,
    RatesChanged,
    RatesPut,
    RateSummary,
    RoundedPer,
    TaxCategory,
    TaxedLine,
    TaxLine,
    TaxQuote,
    assess,
    calculate,
    choose_category,
    choose_jurisdiction,
    choose_rates,
    exempt_line,
    list_jurisdictions,
    list_rates,
    put_jurisdictions,
    put_rates,
)
