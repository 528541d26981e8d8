-- What a front end keeps of persons in tables of its own: by member, by order, and two tables away from either.
create table greeting (
    member_id uuid primary key,
    words text not null unique,
    said jsonb,
    born date,
    nick varchar(12) not null default '',
    colour text not null default 'blue'
);
comment on column greeting.member_id is 'Ref member.membership: who is greeted';
comment on column greeting.words is 'Pii free-text: what the card says';
comment on column greeting.said is 'Pii free-text: the same in all languages';
comment on column greeting.born is 'Pii birth-date: to greet on that day';
comment on column greeting.nick is 'Pii name: to greet by it';

create table parcel (number integer generated always as identity, part integer not null, order_id text not null,
    primary key (number, part));
comment on column parcel.order_id is 'Ref order.order';

create table letter (number integer not null, part integer not null, text text,
    foreign key (number, part) references parcel);
comment on column letter.text is 'Pii free-text: what lies in the parcel';
