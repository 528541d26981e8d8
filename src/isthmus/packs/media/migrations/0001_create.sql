-- Files that a front end has put; their contents are in the store, by the same name.
create table media.file (
    front_end text not null,
    file text not null check (file ~ '^[0-9a-f]{64}[.][a-z]{3,4}$'),
    size integer not null check (size > 0),
    put_at timestamptz not null,
    put_by text not null,
    primary key (front_end, file)
);
select isthmus.guard('media.file');
revoke delete on media.file from isthmus_app;

-- What they are of, in the order in which they are shown.
create table media.attachment (
    front_end text not null,
    subject text not null,
    file text not null,
    position integer not null check (position >= 0),
    role text not null,
    alt text not null,
    primary key (front_end, subject, file),
    foreign key (front_end, file) references media.file
);
select isthmus.guard('media.attachment');
