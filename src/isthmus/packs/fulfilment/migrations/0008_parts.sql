-- What goes out is within a part where its order is.
select isthmus.wall('fulfilment.shipment', $$isthmus.is_within('order', front_end, reference)$$);
select isthmus.wall('fulfilment.shipment_line', 'exists (select from fulfilment.shipment
    where shipment.front_end = shipment_line.front_end and shipment.shipment_id = shipment_line.shipment_id)');
select isthmus.wall('fulfilment.parcel', 'exists (select from fulfilment.shipment
    where shipment.front_end = parcel.front_end and shipment.shipment_id = parcel.shipment_id)');
select isthmus.wall('fulfilment.parcel_line', 'exists (select from fulfilment.shipment
    where shipment.front_end = parcel_line.front_end and shipment.shipment_id = parcel_line.shipment_id)');
select isthmus.wall('fulfilment.step', 'exists (select from fulfilment.shipment
    where shipment.front_end = step.front_end and shipment.shipment_id = step.shipment_id)');
