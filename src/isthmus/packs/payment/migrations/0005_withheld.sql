-- What somebody else took of a payment, such as the payer's bank: so much less can be given back.
alter table payment.payment add column withheld_minor bigint not null default 0 check (withheld_minor >= 0);
