# What the entrypoint of the `mysql` image does, as far as docker-compose.yml relies on it: a database and its user, with
# passwords from files. MariaDB in MySQL's place.
set -eu

if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --no-defaults --datadir=/var/lib/mysql --auth-root-authentication-method=normal >/dev/null
fi

umask 077
cat >/tmp/init.sql <<SQL
create database if not exists \`$MYSQL_DATABASE\` character set utf8mb4;
create user if not exists '$MYSQL_USER'@'%' identified by '$(cat "$MYSQL_PASSWORD_FILE")';
grant all on \`$MYSQL_DATABASE\`.* to '$MYSQL_USER'@'%';
alter user 'root'@'localhost' identified by '$(cat "$MYSQL_ROOT_PASSWORD_FILE")';
SQL

exec mariadbd --no-defaults --datadir=/var/lib/mysql --socket=/var/run/mysqld/mysqld.sock --init-file=/tmp/init.sql "$@"
