-- Who is confined to a seller's goods sees and keeps stock of these, at whichever of the front end's places it lies.
--
-- What follows a command, such as shipping one seller's part of a reservation, sees and locks all that is reserved, as it
-- must to say what is left of it; rows of others it cannot write.
-- was: 87a7c21cb43963381d43cf1441990213fb7112dba4b0f9f2a9822fe7caf153a5
-- contract: each policy that is dropped was made by the wall a line above, and another stands in its place
do $$
declare
    kept regclass;
    own constant text := 'isthmus.is_within(''sku'', front_end, sku)';
begin
    foreach kept in array array['inventory.stock', 'inventory.movement', 'inventory.lot', 'inventory.lot_movement',
            'inventory.serial', 'inventory.serial_step']::regclass[] loop
        perform isthmus.wall(kept, own);
        execute format('drop policy part_write on %s', kept);
        execute format('create policy part_write on %s as restrictive for insert to isthmus_part_write with check (%s)', kept, own);
        execute format('create policy part_write_again on %s as restrictive for update to isthmus_part_write using (true) with check (%s)', kept, own);
        execute format('create policy part_write_off on %s as restrictive for delete to isthmus_part_write using (%s)', kept, own);
    end loop;
end $$;
select isthmus.wall('inventory.location');
