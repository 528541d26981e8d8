-- Regions are compared in one form: codes in capitals.
update inventory.location set region = upper(btrim(region)) where region <> upper(btrim(region));
