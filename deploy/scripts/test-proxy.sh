#!/usr/bin/env bash
# nginx before the API, by deploy/proxy/nginx.conf with other ports and a certificate of the test's own: TLS, a socket, the clients'
# real addresses, what is kept inside. Wants nginx, and a program that is built.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
have nginx || die "nginx is not installed."

http=$(random_port) https=$(random_port)
password="correct horse battery staple"
start_standalone "LASTSEEN_ADMIN_PASSWORD=$password" LASTSEEN_TRUSTED_PROXIES=127.0.0.1
mkdir "$work/temp"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=status.example.org -addext subjectAltName=DNS:status.example.org \
  -keyout "$work/privkey.pem" -out "$work/fullchain.pem" 2>/dev/null
sed -e "s|127.0.0.1:8000|127.0.0.1:$port|; s|/etc/ssl/lastseen|$work|" \
  -e "s|listen 80;|listen 127.0.0.1:$http;|; s|listen 443 ssl;|listen 127.0.0.1:$https ssl;|; /listen \[::\]/d" \
  "$root/deploy/proxy/nginx.conf" >"$work/lastseen.conf"
cat >"$work/nginx.conf" <<END
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
daemon off;
$([ "$(id -u)" != 0 ] || printf 'user root;')
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path $work/temp; proxy_temp_path $work/temp; fastcgi_temp_path $work/temp;
  uwsgi_temp_path $work/temp; scgi_temp_path $work/temp;
  include $work/lastseen.conf;
}
END
nginx -q -t -e "$work/error.log" -c "$work/nginx.conf"
setpriv --pdeathsig TERM nginx -e "$work/error.log" -c "$work/nginx.conf" &
children+=("$!")

ask() { curl -sS --cacert "$work/fullchain.pem" --resolve "status.example.org:$https:127.0.0.1" "$@"; }
base=https://status.example.org:$https
for _ in {1..100}; do
  ! ask -f -o /dev/null "$base/healthz" 2>/dev/null || break
  sleep 0.1
done
status() { ask -o /dev/null -w '%{http_code}' "$@"; }
json=(-H 'Content-Type: application/json')
log_in() { status "${json[@]}" -d "{\"username\": \"$1\", \"password\": \"$2\"}" "${@:3}" "$base/api/users/login/"; }

expect 'plain HTTP is led to TLS' 301 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Host: status.example.org' "http://127.0.0.1:$http/")"
expect 'the page' 200 "$(status "$base/")"
expect 'browsers stay with TLS' 'max-age=31536000' "$(ask -D - -o /dev/null "$base/healthz" | tr -d '\r' | sed -n 's/^Strict-Transport-Security: //p')"
expect 'metrics are kept inside' 403 "$(status "$base/metrics")"
expect 'readiness is kept inside' 403 "$(status "$base/readyz")"
expect 'a body that is too large' 413 "$(head -c 100000 /dev/zero | status -X POST "${json[@]}" --data-binary @- "$base/api/users/login/")"
token=$(ask "${json[@]}" -d "{\"username\": \"admin\", \"password\": \"$password\"}" "$base/api/users/login/" | sed 's/.*"access":"\([^"]*\)".*/\1/')
expect 'a heartbeat' 200 "$(status -X POST -H "Authorization: Bearer $token" "$base/api/users/heartbeat/")"
# A key of 16 zero bytes; curl gives up when nothing more comes, which is what is wanted of it.
expect 'a socket' 101 "$(status --http1.1 -m 2 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
  -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' -H "Sec-WebSocket-Protocol: bearer, $token" "$base/api/ws/" 2>/dev/null || true)"
# A client that says to be somebody else each time is counted as who it is.
for n in {1..40}; do
  last=$(log_in nobody "wrong $n" -H "X-Forwarded-For: 192.0.2.$n")
  [ "$last" = 401 ] || break
done
expect 'tries are counted by real addresses' 429 "$last"
say "nginx is as it should be."
