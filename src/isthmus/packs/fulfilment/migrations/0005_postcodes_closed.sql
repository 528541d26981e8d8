-- Postcodes are compared by their letters and digits alone.
update fulfilment.rate set postcode_prefix = regexp_replace(postcode_prefix, '[^A-Z0-9]', '', 'g')
where postcode_prefix ~ '[^A-Z0-9]';
