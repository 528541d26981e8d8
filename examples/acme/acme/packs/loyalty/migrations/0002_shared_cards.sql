-- A card can be shared: who has it grants it to another front end, which sees its stamps there. Row-level security follows.
select isthmus.lend('loyalty.card', 'card');
