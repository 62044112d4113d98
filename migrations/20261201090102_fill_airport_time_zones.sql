-- The original's airports that aren't in Korea.
update airports
set time_zone = case airport_code
                    when 'NRT' then 'Asia/Tokyo'
                    when 'KIX' then 'Asia/Tokyo'
                    when 'BKK' then 'Asia/Bangkok'
                    when 'SYD' then 'Australia/Sydney'
                    when 'LAX' then 'America/Los_Angeles'
                    when 'CDG' then 'Europe/Paris'
                    else time_zone
    end;
