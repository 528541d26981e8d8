-- What joining the platform was found to cost, kept over time, and who answers each operation of a venture.

create table venture.estimate (
    front_end text collate "C" not null,
    at timestamptz not null,
    found jsonb not null,
    primary key (front_end, at)
);
select isthmus.guard('venture.estimate');

-- compared, agreed: answers of the platform beside the venture's own since it was put in the shadow.
create table venture.operation (
    front_end text collate "C" not null,
    operation text not null,
    answered_by text not null
        constraint operation_answered_by_is_known check (answered_by in ('own', 'shadow', 'platform')),
    since timestamptz not null,
    because text not null default '',
    compared bigint not null default 0,
    agreed bigint not null default 0,
    differs text not null default '',
    primary key (front_end, operation)
);
select isthmus.guard('venture.operation');

-- How a venture left, and when: it ended, or it is a front end like others now. Its pages are not asked for any more.
alter table venture.position
    add column left_on date,
    add column left_by text constraint position_left_by_is_known check (left_by in ('ended', 'graduated'));
