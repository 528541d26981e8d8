-- When a venture was begun, by the charter that held when its first page was taken: how long it took to its first sale.
alter table venture.position add column begun_on date;
