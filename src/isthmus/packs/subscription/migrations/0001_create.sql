-- What a member buys again every so many days; next_at is the period that is ordered next, and it only moves on.
create table subscription.subscription (
    front_end text not null,
    subscription_id uuid not null,
    member_id uuid not null,
    state text not null check (state in ('active', 'paused', 'cancelled', 'ended')),
    reason text not null default '',
    currency char(3) not null,
    lines jsonb not null,
    every_days integer not null check (every_days between 1 and 366),
    next_at timestamptz not null,
    address jsonb,
    delivery_method text,
    contact_email text not null,
    method text not null,
    token text not null,
    order_kind text not null,
    channel text not null,
    box text not null,
    attributes jsonb not null,
    version integer not null default 1,
    made_at timestamptz not null,
    primary key (front_end, subscription_id)
);
select isthmus.guard('subscription.subscription');
create index subscription_due on subscription.subscription (front_end, next_at) where state = 'active';
create index subscription_of_member on subscription.subscription (front_end, member_id, made_at desc);
revoke delete on subscription.subscription from isthmus_app;

-- What became of a period: its key is what makes it one order, whoever is killed and whoever else runs.
create table subscription.period (
    front_end text not null,
    subscription_id uuid not null,
    due_at timestamptz not null,
    state text not null check (state in ('placed', 'paid', 'skipped', 'refused', 'cancelled')),
    reason text not null default '',
    group_id uuid,
    payment_id uuid,
    refusals integer not null default 0 check (refusals >= 0),
    next_try_at timestamptz,
    at timestamptz not null,
    primary key (front_end, subscription_id, due_at),
    foreign key (front_end, subscription_id) references subscription.subscription,
    unique (front_end, group_id),
    check ((state = 'skipped') = (group_id is null)),
    check ((state = 'placed') = (next_try_at is not null))
);
select isthmus.guard('subscription.period');
create index period_unpaid on subscription.period (front_end, next_try_at) where state = 'placed';
revoke delete on subscription.period from isthmus_app;
