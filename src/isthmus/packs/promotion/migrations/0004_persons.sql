-- How often a person uses a promotion at all front ends that take part in it: known by their account in a programme, which
-- they joined at each of them. Who joined none is counted at each front end by itself, as before.
create table promotion.person_use (
    front_end text not null,  -- whose promotion it is
    promotion text not null,
    coupon text not null,
    account_id uuid not null,
    uses bigint not null check (uses >= 0),
    primary key (front_end, promotion, coupon, account_id)
);
select isthmus.guard('promotion.person_use');
select isthmus.lend('promotion.person_use', 'promotion', 'promotion.promotion', used_by => '{insert,update}');
revoke delete on promotion.person_use from isthmus_app;

-- What was used under a grant is given back when it is over.
create policy as_used on promotion.person_use for select to isthmus_app using (exists (
    select from promotion.use where use.owner = person_use.front_end and use.promotion = person_use.promotion
        and use.front_end = current_setting('isthmus.front_end', true)));
create policy as_used_update on promotion.person_use for update to isthmus_app using (exists (
    select from promotion.use where use.owner = person_use.front_end and use.promotion = person_use.promotion
        and use.front_end = current_setting('isthmus.front_end', true)));

alter table promotion.redemption add column account_id uuid;
