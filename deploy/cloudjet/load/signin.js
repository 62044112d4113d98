// A new customer: signs up, logs in, looks at the profile. Both hash a password, which is slow on purpose.

import { Customer } from './client.js';
import { open } from './people.js';

export function signIn({ run }) {
  const customer = Customer.onJourney(run);
  customer.session = open(customer, `${customer.name}@load.example.com`, 2);
  if (!customer.session) return;
  customer.think(1, 2);
  const profile = customer.get('/api/auth/profile', '/api/auth/profile');
  customer.sees('the profile is one\'s own', profile, [200], ({ user }) => user.email === customer.session.email);
}

