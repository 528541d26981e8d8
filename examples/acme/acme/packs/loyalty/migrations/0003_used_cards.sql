-- A card that is granted to `use` is stamped at the other front end too: the row of the card may be changed there.
select isthmus.lend('loyalty.card', 'card', used_by => '{update}');

-- A stamp is of who gave it, and says whose card it is on: the owner sees what is on the card, and not for which purchase.
alter table loyalty.stamp
    add column owner text,  -- null: the card is one's own
    add column card_of text generated always as (coalesce(owner, front_end)) stored;
-- contract: it says of one's own cards what the constraint before said
alter table loyalty.stamp add constraint stamp_card foreign key (card_of, card) references loyalty.card;
-- contract: a stamp may be on another's card; the release before does not know such stamps
alter table loyalty.stamp drop constraint stamp_front_end_card_fkey;
