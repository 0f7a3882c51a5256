// The same types for CommonJS.
import lineshaft = require('lineshaft')
import helpers = require('lineshaft/test')

export const client: lineshaft.Client = new lineshaft.Client()
export const make: typeof helpers.client = helpers.client
