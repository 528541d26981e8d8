-- Where goods go, kept encrypted under the key of what they are sent for; of `address` country and region stay. Shipments so
-- far are sealed by `isthmus security encrypt`, where a company wants that.
alter table fulfilment.shipment add column sealed_address bytea;
