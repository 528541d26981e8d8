-- Let each statement of this transaction last so long: of a file with a million lines one takes longer than of an ask.
create function reconciliation.take_time(limit_ms int) returns void
    language plpgsql
as $$
begin
    perform set_config('statement_timeout', limit_ms::text, true);
end $$;
