import { serve } from './floor.ts';

serve('service-a', '/echo', (msg) => ({ status: 200, body: { echo: msg } }));
