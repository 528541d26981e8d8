create table promotion.promotion (
    front_end text not null,
    code text not null,
    version integer not null check (version >= 1),
    is_running boolean not null,
    definition json not null,  -- the whole promotion; the columns below are what statements filter and count by
    valid_from timestamptz not null,
    valid_to timestamptz check (valid_to > valid_from),
    needs_coupon boolean not null,
    uses_max bigint,
    uses_per_member_max bigint,
    budget bigint,
    budget_currency text,
    -- Counted only while there is a limit, since orders that use an unlimited promotion need not wait for each other.
    uses bigint not null default 0 check (uses >= 0),
    spent bigint not null default 0 check (spent >= 0),
    primary key (front_end, code),
    check ((budget is null) = (budget_currency is null)),
    constraint uses_within_limit check (uses <= uses_max),
    constraint spent_within_budget check (spent <= budget)
);
create index promotion_running on promotion.promotion (front_end, needs_coupon, valid_from) where is_running;
select isthmus.guard('promotion.promotion');
revoke delete on promotion.promotion from isthmus_app;

create table promotion.revision (
    front_end text not null,
    code text not null,
    version integer not null,
    what text not null check (what in ('put', 'stopped')),
    at timestamptz not null,
    by text not null,
    reason text not null,
    definition json not null,
    primary key (front_end, code, version),
    foreign key (front_end, code) references promotion.promotion
);
select isthmus.guard('promotion.revision');
revoke update, delete on promotion.revision from isthmus_app;

create table promotion.coupon (
    front_end text not null,
    code text not null,
    promotion text not null,
    uses_max bigint,
    uses_per_member_max bigint,
    member_id uuid,
    valid_from timestamptz,
    valid_to timestamptz check (valid_to > valid_from),
    issued_at timestamptz not null,
    issued_by text not null,
    revoked_at timestamptz,
    revoked_by text not null default '',
    uses bigint not null default 0 check (uses >= 0),  -- counted where there is a limit
    primary key (front_end, code),
    foreign key (front_end, promotion) references promotion.promotion,
    constraint uses_within_limit check (uses <= uses_max)
);
create index coupon_of_promotion on promotion.coupon (front_end, promotion, code);
create index coupon_of_member on promotion.coupon (front_end, member_id, code) where member_id is not null;
select isthmus.guard('promotion.coupon');
revoke delete on promotion.coupon from isthmus_app;

-- How often a member uses a promotion (coupon ''), and a coupon that is limited per member.
create table promotion.member_use (
    front_end text not null,
    promotion text not null,
    coupon text not null,
    member_id uuid not null,
    uses bigint not null check (uses >= 0),
    primary key (front_end, promotion, coupon, member_id)
);
select isthmus.guard('promotion.member_use');
revoke delete on promotion.member_use from isthmus_app;

-- What an order uses: the reference claims it once, and returns it once.
create table promotion.redemption (
    front_end text not null,
    reference text not null,
    digest text not null,  -- tells the same discounts again from others
    member_id uuid,
    redeemed_at timestamptz not null,
    redeemed_by text not null,
    returned_at timestamptz,
    returned_by text not null default '',
    primary key (front_end, reference)
);
select isthmus.guard('promotion.redemption');
revoke delete on promotion.redemption from isthmus_app;

create table promotion.use (
    front_end text not null,
    reference text not null,
    promotion text not null,
    coupon text not null,
    amount bigint not null check (amount >= 0),
    currency text not null,
    returned_at timestamptz,
    stored_promotion text generated always as (case when promotion not like 'extra:%' then promotion end) stored,
    primary key (front_end, reference, promotion, coupon),
    foreign key (front_end, reference) references promotion.redemption,
    foreign key (front_end, stored_promotion) references promotion.promotion
);
create index use_of_promotion on promotion.use (front_end, promotion) where returned_at is null;
create index use_of_coupon on promotion.use (front_end, coupon) where returned_at is null and coupon <> '';
select isthmus.guard('promotion.use');
revoke delete on promotion.use from isthmus_app;
