import test from 'ava';
import { frontDoorConformance } from './front-door.ts';
import { gatewayWatchingConformance } from './gateway-watching.ts';
import { operationDoorConformance } from './operation-doors.ts';
import { serviceDoorConformance } from './service-doors.ts';

frontDoorConformance(test, 'dynamic');
serviceDoorConformance(test, 'dynamic');
gatewayWatchingConformance(test, 'dynamic');
operationDoorConformance(test, 'dynamic');
