-- The twelve conditions, and from F2 on those of the books, written from their description alone: each row says how often
-- one is broken.
(select '1 revenue = payment legs' as condition, count(*) as broken from (
  select front_end, currency, sum(captured_minor - refunded_minor) net from payment.payment group by 1,2) p
  full join (select l.front_end, p.currency, sum(case l.kind when 'capture' then l.amount_minor when 'refund' then -l.amount_minor else 0 end) net
    from payment.leg l join payment.payment p on p.front_end=l.front_end and p.payment_id=l.payment_id group by 1,2) l using (front_end, currency)
  full join (select front_end, currency, sum(total_minor - refunded_minor) net from "order".orders where state in ('paid','part-shipped','shipped','completed') group by 1,2) o using (front_end, currency)
  where coalesce(p.net,0) <> coalesce(l.net,0) or coalesce(o.net,0) <> coalesce(p.net,0))
union all (select '2a duplicate numbers' as condition, count(*) as broken from (select front_end, number from "order".orders group by 1,2 having count(*)>1) d)
union all (select '2b gap not in a lease' as condition, count(*) as broken from (select front_end, number, lag(number,1,0::bigint) over (partition by front_end order by number) before from "order".orders) n
  where number <> before+1 and exists (select from generate_series(before+1, number-1) g where not exists (select from "order".number_lease l where l.front_end=n.front_end and g between l.first and l.last)))
union all (select '3 lines' as condition, count(*) as broken from "order".orders o where line_count <> (select count(*) from "order".lines l where l.front_end=o.front_end and l.order_id=o.order_id))
union all (select '4 carrier iff shipped' as condition, count(*) as broken from fulfilment.parcel where (carrier is not null) <> (state in ('shipped','delivered','failed')))
union all (select '5 customers = paid - delivered' as condition, count(*) as broken from (
  select front_end, a.currency, -sum(amount) owed from ledger.leg join ledger.account a using (front_end, account_id) where a.code='liabilities:customers' and layer='=' group by 1,2) l
  full join (select front_end, currency, sum(total_minor - refunded_minor) filter (where state = 'paid') unsent, sum(total_minor - refunded_minor) filter (where state in ('paid','part-shipped')) at_most from "order".orders group by 1,2) o using (front_end, currency)
  where coalesce(l.owed,0) < coalesce(o.unsent,0) or coalesce(l.owed,0) > coalesce(o.at_most,0))
union all (select '6 open = all - closed' as condition, (select count(*) from "order".orders where state in ('placed','paid','part-shipped','shipped','held','review')) - ((select count(*) from "order".orders) - (select count(*) from "order".orders where state in ('completed','cancelled','expired'))))
union all (select '7a on hand = movements' as condition, count(*) as broken from (select front_end, sku, location, sum(on_hand) q from inventory.stock group by 1,2,3) s
  full join (select front_end, sku, location, sum(quantity) q from inventory.movement group by 1,2,3) m using (front_end, sku, location) where coalesce(s.q,0) <> coalesce(m.q,0))
union all (select '7b reserved in bounds' as condition, count(*) as broken from inventory.stock where reserved < 0 or on_hand < 0 or reserved > on_hand + back_order_limit)
union all (select '7c reserved = open lines of all front ends' as condition, count(*) as broken from inventory.stock s full join
  (select stock_of front_end, l.sku, l.location, sum(l.quantity - l.shipped - l.released) q from inventory.reservation_line l join inventory.reservation r on r.front_end=l.front_end and r.reference=l.reference where r.state not in ('released','expired') group by 1,2,3) l using (front_end, sku, location)
  where coalesce(s.reserved + s.back_ordered,0) <> coalesce(l.q,0) and coalesce(s.reserved,0) <> coalesce(l.q,0))
union all (select '7d lent = lines under a grant' as condition, count(*) as broken from (select grant_id, sku, location, sum(quantity-shipped-released) held, sum(shipped) shipped from inventory.reservation_line where grant_id is not null group by 1,2,3) l
  full join (select grant_id, sku, location, sum(held) held, sum(taken) taken from inventory.lent group by 1,2,3) t using (grant_id, sku, location) where coalesce(l.held,0) <> coalesce(t.held,0) or coalesce(l.held,0)+coalesce(l.shipped,0) < coalesce(t.taken,0))
union all (select '8a points of a membership = movements' as condition, count(*) as broken from member.membership m where account_id is null and state<>'merged' and points <> coalesce((select sum(points) from member.points_movement v where v.front_end=m.front_end and v.member_id=m.member_id and v.account_id is null),0))
union all (select '8b points of an account = movements over all front ends' as condition, count(*) as broken from member.account a where points <> coalesce((select sum(points) from member.points_movement v where v.account_id=a.account_id),0))
union all (select '8c points of an account = its lots' as condition, count(*) as broken from member.account a where points <> coalesce((select sum(unspent) from member.points_lot l where l.account_id=a.account_id),0))
union all (select '9a coupon uses' as condition, count(*) as broken from promotion.coupon c where uses <> (select count(*) from promotion.use u where u.coupon=c.code and u.returned_at is null and coalesce(u.promotion_of,u.front_end)=c.front_end) or uses > coalesce(uses_max, uses))
union all (select '9b promotion uses and budget' as condition, count(*) as broken from promotion.promotion p where uses > coalesce(uses_max, uses) or coalesce(spent,0) > coalesce(budget, coalesce(spent,0)))
union all (select '10a events twice' as condition, count(*) as broken from (select id from isthmus.event group by 1 having count(*)>1) d)
union all (select '10b keys twice' as condition, count(*) as broken from (select front_end, key, capability from isthmus.idempotency group by 1,2,3 having count(*)>1) d)
union all (select '10c events for orders' as condition, count(*) as broken from (select o.group_id from "order".orders o group by 1 having count(*) <> (select count(*) from (select subject, data from isthmus.event where type like 'order.order-placed%' union all select subject, data from isthmus.outbox where type like 'order.order-placed%') e where e.data::text like '%'||o.group_id::text||'%' or e.subject in (select order_id::text from "order".orders x where x.group_id=o.group_id))) d)
union all (select '11 discount = shares' as condition, count(*) as broken from "order".discount d where amount_minor <> (select sum(minor) from "order".discount_share s where s.front_end=d.front_end and s.group_id=d.group_id and s.discount=d.discount))
union all (select '12a captured <= authorised' as condition, count(*) as broken from payment.payment where captured_minor > authorised_minor or refunded_minor > captured_minor or authorised_minor > amount_minor)
union all (select '12b shown = charged' as condition, count(*) as broken from (select front_end, group_id, sum(total_minor) t, bool_or(state in ('paid','part-shipped','shipped','completed')) paid from "order".orders group by 1,2) o join payment.payment p on p.front_end=o.front_end and p.reference=o.group_id::text where o.t <> p.amount_minor or (o.paid and p.captured_minor + coalesce(p.withheld_minor,0) <> o.t))
union all (select '12c total = lines + delivery' as condition, count(*) as broken from "order".orders o where total_minor <> delivery_fee_minor + (select sum(total_minor) from "order".lines l where l.front_end=o.front_end and l.order_id=o.order_id))
union all (select '13 entries balance' as condition, count(*) as broken from (select front_end, entry_id, currency, layer from ledger.leg group by 1,2,3,4 having sum(amount)<>0) d)
union all (select 'F2 balance = legs' as condition, count(*) as broken from ledger.account a join ledger.book k on k.front_end=a.front_end
  where coalesce((select posted from ledger.balance b where b.account_id=a.account_id),0) <> coalesce((select sum(amount) from ledger.leg l where l.account_id=a.account_id and layer='=' and xid < k.folded and xid <> all (k.unsummed)),0))
union all (select 'F3 all accounts = 0' as condition, count(*) as broken from (select front_end, currency from ledger.leg group by 1,2 having sum(amount) <> 0) d)
union all (select 'F4 a reference once' as condition, count(*) as broken from (select front_end, reference from ledger.entry group by 1,2 having count(*) > 1) d)
union all (select 'F5 pending ends once' as condition, count(*) as broken from (select e.state, sum(abs(amount)) filter (where layer<>'=') touched, sum(amount * case layer when '+' then 1 when '-' then -1 else 0 end) held, count(*) filter (where layer='=') done
    from ledger.entry e join ledger.leg l using (front_end, entry_id) group by e.front_end, e.entry_id, e.state) d
  where (state='pending') <> (coalesce(held,0) > 0) or (state='posted') <> (done > 0) or (state in ('voided','expired') and coalesce(touched,0) = 0))
union all (select 'F6 no account passes its bound' as condition, count(*) as broken from (
    select code, least, greatest, lead(entry_id) over w is distinct from entry_id last_of_entry,
      case when code ~ '^(assets|expenses)' then sum(amount) filter (where layer in ('=','-')) over w else -sum(amount) filter (where layer in ('=','+')) over w end low,
      case when code ~ '^(assets|expenses)' then sum(amount) filter (where layer in ('=','+')) over w else -sum(amount) filter (where layer in ('=','-')) over w end high
    from ledger.leg join ledger.account using (front_end, account_id) where least is not null or greatest is not null window w as (partition by account_id order by xid)) d
  where last_of_entry and (low < least or high > greatest))
union all (select 'F7 captured - refunded = clearing and settled' as condition, count(*) as broken from (
    select front_end, currency, sum(captured_minor - refunded_minor) net from payment.payment where provider not in ('', 'credit') group by 1,2) p
  full join (select a.front_end, a.currency, sum(amount) net from ledger.leg l join ledger.account a using (front_end, account_id) join ledger.entry e using (front_end, entry_id)
    where layer='=' and owner ~ '^provider/' and e.kind ~ '^(payment|provider|chargeback)-' or layer='=' and a.code in ('assets:bank','expenses:payment-fees') and e.kind ~ '^(payment|provider)-' and owner='' group by 1,2) l using (front_end, currency)
  where coalesce(p.net,0) <> coalesce(l.net,0))
union all (select 'F8 a reversal restores' as condition, count(*) as broken from (select r.front_end, r.entry_id, account_id from ledger.entry r join ledger.leg l on l.front_end=r.front_end and l.entry_id in (r.entry_id, r.reverses) and layer='=' where r.reverses is not null group by 1,2,3 having sum(amount) <> 0) d)
union all (select 'F9 payouts + fees + retained = gross' as condition, count(*) as broken from settlement.settlement s
  where state <> 'cancelled' and payout_minor + fee_minor + carried_minor <> carried_in_minor + coalesce((select sum(gross_minor - commission_minor) from settlement.item i where i.front_end=s.front_end and i.settlement_id=s.settlement_id),0))
