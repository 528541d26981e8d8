-- Price lists of the group, or of another front end, can be granted: `pricing.price`, by the code of the list.
select isthmus.lend('pricing.price', 'price_list');

-- Which of them a front end has switched on, as which of its own lists, and whether they go before its own prices.
create table pricing.switched (
    front_end text not null,
    owner text not null check (owner <> front_end),
    price_list text not null,
    as_list text not null,
    goes_first boolean not null,
    at timestamptz not null,
    by text not null,
    primary key (front_end, owner, price_list)
);
select isthmus.guard('pricing.switched');
