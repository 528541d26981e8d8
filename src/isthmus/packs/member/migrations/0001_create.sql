-- A person of the group, known by what was verified.
create table member.person (
    person_id uuid primary key,
    made_at timestamptz not null
);
select isthmus.share('member.person');

create table member.person_identity (
    kind text not null,
    value text not null,
    person_id uuid not null references member.person (person_id),
    primary key (kind, value)
);
select isthmus.share('member.person_identity');
create index on member.person_identity (person_id);

-- What one front end knows of a person.
create table member.membership (
    front_end text not null,
    member_id uuid not null,
    person_id uuid not null references member.person (person_id),
    state text not null check (state in ('active', 'merged', 'erased')),
    merged_into uuid check ((state = 'merged') = (merged_into is not null)),
    profile jsonb not null,
    consents text[] not null,
    segments text[] not null default '{}',
    tier text not null default '',
    points bigint not null default 0 check (points >= 0),
    joined_at timestamptz not null,
    primary key (front_end, member_id)
);
select isthmus.guard('member.membership');
create unique index one_membership_a_person on member.membership (front_end, person_id) where state = 'active';

create table member.identity (
    front_end text not null,
    kind text not null,
    value text not null,
    member_id uuid not null,
    is_verified boolean not null,
    primary key (front_end, kind, value),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
select isthmus.guard('member.identity');
create index on member.identity (front_end, member_id);

create table member.address (
    front_end text not null,
    member_id uuid not null,
    label text not null,
    address jsonb not null,
    primary key (front_end, member_id, label),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
select isthmus.guard('member.address');

create table member.points_movement (
    front_end text not null,
    movement_id uuid not null,
    member_id uuid not null,
    points bigint not null check (points <> 0),
    reason text not null,
    reference text not null,
    at timestamptz not null,
    by text not null,
    primary key (front_end, movement_id),
    unique (front_end, member_id, reference, reason),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
select isthmus.guard('member.points_movement');
create index on member.points_movement (front_end, member_id, at desc, movement_id desc);
