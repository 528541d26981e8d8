-- Places are compared in one form: regions as codes in capitals, postcodes in capitals with single gaps.
update fulfilment.rate
set region = upper(btrim(region)), postcode_prefix = upper(btrim(regexp_replace(postcode_prefix, '\s+', ' ', 'g')))
where region <> upper(btrim(region))
   or postcode_prefix <> upper(btrim(regexp_replace(postcode_prefix, '\s+', ' ', 'g')));
