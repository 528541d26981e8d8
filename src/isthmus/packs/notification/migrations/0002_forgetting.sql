-- What a provider said of a try may name whom it was for; nothing else of a try ever changes.
grant update (reason) on notification.try to isthmus_app;
