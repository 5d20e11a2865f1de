// Verifies a webhook by the specification's public library: {"secret", "headers", "body"} on standard input. Says
// "verified" and ends with 0, or why not and ends with 1; with 77 where the library is not installed.
import { text } from 'node:stream/consumers';

let Webhook;
try {
  ({ Webhook } = await import('standardwebhooks'));
} catch {
  console.error('standardwebhooks is not installed: npm ci in web/');
  process.exit(77);
}
const { secret, headers, body } = JSON.parse(await text(process.stdin));
try {
  new Webhook(secret).verify(body, headers);
  console.log('verified');
} catch (error) {
  console.error(String(error));
  process.exit(1);
}
