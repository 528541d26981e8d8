-- What is said of goods is compared in the form in which names are: attributes, what categories ask of them, and the
-- category by which goods are taxed.
update catalog.category set attributes = normalize(attributes::text, nfc)::jsonb
where attributes::text is not nfc normalized;
update catalog.product set
    attributes = normalize(attributes::text, nfc)::jsonb, tax_category = catalog.composed(tax_category)
where attributes::text is not nfc normalized or tax_category <> catalog.composed(tax_category);
update catalog.sku set
    attributes = normalize(attributes::text, nfc)::jsonb, all_attributes = normalize(all_attributes::text, nfc)::jsonb
where attributes::text is not nfc normalized or all_attributes::text is not nfc normalized;
