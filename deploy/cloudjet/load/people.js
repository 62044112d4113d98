// Accounts. The password is the address: nobody's money hangs on these.

import { read } from './client.js';

/** Signs up and logs in, thinking up to `pause` seconds in between. Nothing, if that wasn't to be had. */
export function open(customer, email, pause) {
  const person = {
    name: customer.chance.of(['김하늘', '이바다', '박구름', '최노을', 'Kim Haneul', 'Lee Bada']),
    email,
    password: email,
    phone: `010-${1000 + customer.chance.index(9000)}-${1000 + customer.chance.index(9000)}`,
    birthDate: `19${60 + customer.chance.index(40)}-0${1 + customer.chance.index(9)}-1${customer.chance.index(10)}`,
  };
  // An account that is there already is this one: a first answer was lost.
  const signedUp = customer.post('/api/auth/signup', '/api/auth/signup', person);
  if (!customer.sees('an account is opened', signedUp, [201, 409], (body) => body.success || body.code === 'email-taken')) {
    return null;
  }
  customer.think(pause / 2, pause);
  return logIn(customer, { email, password: email });
}

export function logIn(customer, credentials) {
  const answer = customer.post('/api/auth/login', '/api/auth/login', credentials);
  const isIn = customer.sees('a session is opened', answer, [200], (body) => body.token && body.user.email === credentials.email);
  return isIn ? { token: read(answer).token, email: credentials.email } : null;
}
