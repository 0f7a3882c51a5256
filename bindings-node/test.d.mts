export * from './test.js'
