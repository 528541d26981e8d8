-- Tiers are compared in the form in which names are.
update member.programme set tiers = normalize(tiers::text, nfc)::jsonb where tiers::text is not nfc normalized;
update member.account set tier = btrim(normalize(tier, nfc)) where tier <> btrim(normalize(tier, nfc));
update member.membership set tier = btrim(normalize(tier, nfc)) where tier <> btrim(normalize(tier, nfc));
