-- What a venture may spend, by the charter that held when it was last asked, and what each entry of its books spent.
alter table venture.position
    add column budget_minor bigint,
    add column budget_currency text;
alter table venture.entry add column spent_minor bigint not null default 0;
