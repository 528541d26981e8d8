-- Lists of stock ask what is lent: to who is confined to a part nothing is, and they see no row.
grant select on isthmus.row_grant to isthmus_part;
