"""The data platform in the formats of others: ODCS, Ossie, OpenLineage, BI tables, another engine."""
