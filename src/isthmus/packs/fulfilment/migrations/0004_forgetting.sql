-- Who is forgotten is in no note of a step either; nothing else of a step ever changes.
grant update (note) on fulfilment.step to isthmus_app;
