// What a run is told, by its environment. docs/capacity.md has the table.

const given = (name, usual) => (__ENV[name] === undefined || __ENV[name] === '' ? usual : __ENV[name]);

/** A secret, or the text of the file that NAME_FILE names. Must be called while the script is read. */
const secret = (name, usual) => {
  const file = given(`${name}_FILE`);
  return file ? open(file).replace(/\n$/, '') : given(name, usual);
};

/** The gateway, and the stand-in for the payment provider. */
export const SYSTEM = given('BASE_URL', 'http://localhost:5000').replace(/\/$/, '');
export const PROVIDER = given('SIMULATOR_URL', 'http://localhost:5010').replace(/\/$/, '');

export const PROFILE = given('PROFILE', 'smoke');

/** The journeys that are made; all of the profile's if there is nothing said. */
export const SCENARIOS = given('SCENARIOS', '').split(',').filter(Boolean);

/** How many times the profile's rates. */
export const SCALE = Number(given('SCALE', '1'));

/** How many times a person's pauses; 0: none. */
export const THINK = Number(given('THINK', '1'));

/** Within how many milliseconds 95 of 100 requests must be answered; the profile's own limit if there is nothing said. */
export const P95 = given('P95', '');

export const SEED = given('SEED', '1');

/** How many seats there are where everybody wants one. */
export const SEATS = Number(given('SEATS', '6'));

/** How many iterations a second, and how long, the profile `traffic` keeps up. */
export const RATE = Number(given('RATE', '1'));
export const DURATION = given('DURATION', '24h');

/** Who publishes the flights that are booked. */
export const ADMINISTRATOR = { email: given('ADMIN_EMAIL', ''), password: secret('ADMIN_PASSWORD', '') };
