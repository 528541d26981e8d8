-- What a front end gave back of a hundred for returned goods, so that what is due of several returns is rounded once.
-- Nothing for returns of before: what they came to is taken as what was due.
alter table "order".return_line add column percent integer check (percent between 0 and 100);
