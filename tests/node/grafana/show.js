// SPDX-License-Identifier: Apache-2.0
//
// show.js: what Grafana's own code (@grafana/data) makes of a dashboard and of Prometheus' answers, for tests/scenario/test_viz.py. Reads
// {"dashboard": …, "answers": {panel id: {refId: a result of /api/v1/query or query_range}}} from its standard input; prints
// {"unknown": what Grafana has no such thing of, "panels": {panel id: what is shown}}: a table is {columns, rows}; all others are a list of
// {name, text, color} each, the newest value of each series.
//
// Grafana's Prometheus data source makes frames of answers: one a series, named by the legend; for the format "table" one a query, with a
// column a label, __name__ among them, and one "Value #REFID".
'use strict';
const fs = require('fs');
const grafana = require('@grafana/data');

// It asks the browser how times are written, and the page whether it is of scenes; what it loads takes a window for a whole browser.
globalThis.navigator ??= { language: 'en', languages: ['en'] };
globalThis.window = {};

const { FieldType } = grafana, theme = grafana.createTheme({ colors: { mode: 'dark' } }), unknown = [];
const processors = { unit: grafana.unitOverrideProcessor, min: grafana.numberOverrideProcessor, max: grafana.numberOverrideProcessor,
	thresholds: grafana.thresholdsOverrideProcessor, color: grafana.identityOverrideProcessor };
const properties = new grafana.FieldConfigOptionsRegistry(() => Object.entries(processors).map(([id, process]) => ({
	id, path: id, name: id, process, shouldApply: () => true, settings: {}, editor: () => null, override: () => null,
})));

const transformers = new Map(Object.values(grafana.standardTransformers).map((one) => [one.id, one])); // one is there by two names
grafana.standardTransformersRegistry.setInit(() => [...transformers.values()].map((transformation) => ({
	id: transformation.id, name: transformation.name, transformation: async () => transformation, editor: () => null, imageDark: '', imageLight: '',
})));

// ---- frames ----

function number(text) {
	return text === 'NaN' ? NaN : text.endsWith('Inf') ? (text[0] === '-' ? -Infinity : Infinity) : Number(text);
}

function points(series) {
	return series.values ?? [series.value];
}

function frameOfSeries(target, series) {
	const name = grafana.renderLegendFormat(target.legendFormat, series.metric);
	return grafana.toDataFrame({ refId: target.refId, name, meta: { type: 'timeseries-multi' }, fields: [
		{ name: 'Time', type: FieldType.time, values: points(series).map(([at]) => at * 1000) },
		{ name: 'Value', type: FieldType.number, labels: series.metric, config: { displayNameFromDS: name },
			values: points(series).map(([, value]) => number(value)) },
	] });
}

function frameOfTable(target, result, several) {
	const labels = [...new Set(result.flatMap((series) => Object.keys(series.metric)))].sort();
	return grafana.toDataFrame({ refId: target.refId, fields: [
		{ name: 'Time', type: FieldType.time, values: result.map((series) => series.value[0] * 1000) },
		...labels.map((label) => ({ name: label, type: FieldType.string, values: result.map((series) => series.metric[label] ?? '') })),
		{ name: several ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: result.map((series) => number(series.value[1])) },
	] });
}

function framesOf(panel, answers) {
	const tables = panel.targets.filter((target) => target.format === 'table');
	return panel.targets.flatMap((target) => (target.format === 'table' ? [frameOfTable(target, answers[target.refId], tables.length > 1)] :
		answers[target.refId].map((series) => frameOfSeries(target, series))));
}

// ---- what Grafana knows ----

function check(panel) {
	const units = new Set(grafana.getValueFormats().flatMap((group) => group.submenu.map((unit) => unit.value)));
	const say = (kind, name) => unknown.push(`${panel.title}: ${kind} ${name}`), { defaults, overrides } = panel.fieldConfig;
	for (const unit of [defaults.unit, ...overrides.flatMap((one) => one.properties.filter((each) => each.id === 'unit').map((each) => each.value))])
		if (!units.has(unit)) say('unit', unit);
	if (!grafana.fieldColorModeRegistry.getIfExists(defaults.color.mode)) say('color mode', defaults.color.mode);
	for (const { color } of defaults.thresholds?.steps ?? [])
		if (!/^(#|rgb)/.test(theme.visualization.getColorByName(color))) say('color', color);
	for (const override of overrides)
		for (const property of override.properties) if (!properties.getIfExists(property.id)) say('property', property.id);
	for (const calculation of panel.options.reduceOptions?.calcs ?? []) if (!grafana.isReducerID(calculation)) say('calculation', calculation);
	for (const { id } of panel.transformations ?? []) if (!grafana.standardTransformersRegistry.getIfExists(id)) say('transformation', id);
}

// ---- what is shown ----

function transformed(panel, frames) {
	return new Promise((resolve, reject) => {
		grafana.transformDataFrame(panel.transformations ?? [], frames).subscribe({ next: resolve, error: reject });
	});
}

function shownTable(panel, frames) {
	if (frames.length !== 1) unknown.push(`${panel.title}: a table of ${frames.length} frames`);
	const [frame] = frames, columns = frame.fields.map((field) => grafana.getFieldDisplayName(field, frame, frames));
	for (const { matcher } of panel.fieldConfig.overrides)
		if (!columns.includes(matcher.options)) unknown.push(`${panel.title}: no column ${matcher.options} to override`);
	const cell = (field, at) => grafana.formattedValueToString(field.display(field.values[at]));
	return { columns, rows: Array.from({ length: frame.length }, (_, at) => frame.fields.map((field) => cell(field, at))) };
}

function shownNumber(panel, frames) {
	return grafana.getFieldDisplayValues({ data: frames, fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, theme,
		replaceVariables: (text) => text }).map(({ display }) => ({ name: display.title, text: grafana.formattedValueToString(display),
		color: display.color }));
}

function shownSeries(frames) {
	return frames.flatMap((frame) => frame.fields.filter((field) => field.type === FieldType.number).map((field) => {
		const display = field.display(field.values[field.values.length - 1]);
		return { name: grafana.getFieldDisplayName(field, frame, frames), text: grafana.formattedValueToString(display), color: display.color };
	}));
}

async function show(panel, answers) {
	check(panel);
	const data = await transformed(panel, framesOf(panel, answers));
	const frames = grafana.applyFieldOverrides({ data, fieldConfig: panel.fieldConfig, fieldConfigRegistry: properties,
		replaceVariables: (text) => text, theme, timeZone: 'utc' });
	return panel.type === 'table' ? shownTable(panel, frames) : panel.type === 'stat' ? shownNumber(panel, frames) : shownSeries(frames);
}

async function main() {
	const { dashboard, answers } = JSON.parse(fs.readFileSync(0, 'utf8')), panels = {};
	for (const panel of dashboard.panels) if (panel.type !== 'row') panels[panel.id] = await show(panel, answers[panel.id]);
	console.log(JSON.stringify({ unknown, panels }));
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
