-- Where a subscription goes, whom it writes to and what it is paid with, kept encrypted under a key of its own where a
-- company wants that; the columns in the clear are empty then. Rows so far are sealed by `isthmus security encrypt`.
alter table subscription.subscription
    add column sealed_address bytea, add column sealed_email bytea, add column sealed_token bytea;
