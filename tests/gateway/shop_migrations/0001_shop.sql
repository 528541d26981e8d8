create table shop.item (
    front_end text not null,
    sku text not null,
    stock integer not null check (stock >= 0),
    primary key (front_end, sku)
);
select isthmus.guard('shop.item');

create table shop.note (front_end text not null, body text not null, number bigint not null, at timestamptz, tags json);
select isthmus.guard('shop.note');
