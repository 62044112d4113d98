-- A search begins with its route. Builds an index on a table of hundreds of rows.
alter table flights add key ix_flights_departure_airport_arrival_airport (departure_airport, arrival_airport);
