-- An address that is kept encrypted under the member's key; `address` is empty then. Rows so far are sealed by
-- `isthmus security encrypt`, where a company wants that.
alter table member.address add column sealed bytea;
