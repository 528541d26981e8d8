-- All subscriptions of a front end are listed, the latest first.
create index subscription_listed on subscription.subscription (front_end, made_at desc, subscription_id desc);
