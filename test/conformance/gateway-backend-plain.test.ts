import test from 'ava';
import { gatewayBackendConformance } from './gateway-backend.ts';

gatewayBackendConformance(test, 'plain');
