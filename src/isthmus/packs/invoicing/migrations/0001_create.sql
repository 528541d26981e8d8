-- Invoices and credit notes, as they were issued. Amounts are whole minor units, and positive.

-- The last number of each series of a legal entity. Several front ends may be of one entity, so its numbers are the
-- group's. Who issues holds the row until the commit: a number that is given is a number that stays.
create table invoicing.series (
    entity text collate "C" not null,
    series text collate "C" not null,
    last int not null check (last > 0),
    last_on date not null,
    primary key (entity, series)
);
select isthmus.share('invoicing.series');
revoke delete on invoicing.series from isthmus_app;

-- before: the number that stands before this one; it must be there, so no number can be skipped, whatever is written.
create table invoicing.invoice (
    front_end text collate "C" not null,
    invoice_id uuid not null,
    entity text collate "C" not null,
    series text collate "C" not null,
    sequence int not null check (sequence > 0),
    before int generated always as (nullif(sequence - 1, 0)) stored,
    number text collate "C" not null,
    kind text not null check (kind in ('invoice', 'credit-note')),
    corrects uuid check ((corrects is null) = (kind = 'invoice')),
    reference text collate "C" not null,
    content uuid not null,
    currency text collate "C" not null check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint not null check (net_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    gross_minor bigint not null,
    paid_minor bigint not null check (paid_minor >= 0),
    rounding_minor bigint not null,
    due_minor bigint not null,
    issued_on date not null,
    issued_at timestamptz not null,
    issued_by text not null,
    said jsonb not null,
    buyer jsonb not null,
    primary key (front_end, invoice_id),
    unique (front_end, reference),
    unique (entity, number),
    unique (entity, series, sequence),
    constraint gross_is_net_and_tax check (gross_minor = net_minor + tax_minor),
    constraint due_adds_up check (due_minor = gross_minor - paid_minor + rounding_minor),
    constraint no_number_is_skipped foreign key (entity, series, before)
        references invoicing.invoice (entity, series, sequence),
    foreign key (front_end, corrects) references invoicing.invoice (front_end, invoice_id)
);
select isthmus.guard('invoicing.invoice');
revoke update, delete on invoicing.invoice from isthmus_app;
grant update (buyer) on invoicing.invoice to isthmus_app;  -- who bought is forgotten once the law lets it
create index on invoicing.invoice (front_end, corrects) where corrects is not null;
create index on invoicing.invoice (front_end, issued_on);

-- What is taxed alike on an invoice.
create table invoicing.vat (
    front_end text collate "C" not null,
    invoice_id uuid not null,
    category text collate "C" not null check (category in ('S', 'Z', 'E', 'AE', 'K', 'G', 'O')),
    rate_ppm int not null check (rate_ppm >= 0 and (category = 'S' or rate_ppm = 0)),
    net_minor bigint not null check (net_minor >= 0),
    tax_minor bigint not null,
    primary key (front_end, invoice_id, category, rate_ppm),
    foreign key (front_end, invoice_id) references invoicing.invoice (front_end, invoice_id),
    constraint tax_is_net_times_rate check (tax_minor = round(net_minor::numeric * rate_ppm / 1000000))
);
select isthmus.guard('invoicing.vat');
revoke update, delete on invoicing.vat from isthmus_app;

-- What invoices are about; each thing stands on one invoice, or one credit note.
create table invoicing.subject (
    front_end text collate "C" not null,
    subject text collate "C" not null,
    invoice_id uuid not null,
    primary key (front_end, subject),
    foreign key (front_end, invoice_id) references invoicing.invoice (front_end, invoice_id)
);
select isthmus.guard('invoicing.subject');
revoke update, delete on invoicing.subject from isthmus_app;
create index on invoicing.subject (front_end, invoice_id);

-- Nobody changes what was issued, the owner of the tables neither; only the buyer is forgotten.
create function invoicing.refuse_change() returns trigger
    language plpgsql
as $$
begin
    if tg_op = 'UPDATE' then
        if (to_jsonb(old) - 'buyer') = (to_jsonb(new) - 'buyer') then
            return new;
        end if;
    end if;
    raise exception '% of an invoice is refused', lower(tg_op)
        using hint = 'what was issued is corrected by a credit note', errcode = 'check_violation',
            constraint = 'invoices_stay', table = 'invoice', schema = 'invoicing';
end $$;
create trigger invoices_stay before update or delete on invoicing.invoice
    for each row execute function invoicing.refuse_change();
