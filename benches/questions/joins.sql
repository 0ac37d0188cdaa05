-- question: sessions by gaps
-- engine: cloudtarn
SELECT principal, count_if(gap IS NULL OR gap > 1800) AS sessions, count(*) AS calls
FROM (SELECT userIdentity.arn AS principal,
             date_diff('second', lag(eventTime) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime), eventTime) AS gap
      FROM $EDS_ID WHERE userIdentity.arn IS NOT NULL AND eventTime >= '{day}' AND eventTime < '{next_day}')
GROUP BY principal
-- engine: duckdb
SELECT principal, count_if(gap IS NULL OR gap > 1800) AS sessions, count(*) AS calls
FROM (SELECT identity_arn AS principal,
             date_diff('second', lag(eventTime) OVER (PARTITION BY identity_arn ORDER BY eventTime), eventTime) AS gap
      FROM events WHERE identity_arn IS NOT NULL AND eventTime >= '{day}' AND eventTime < '{next_day}')
GROUP BY principal
-- engine: chdb
SELECT principal, 1 + arrayCount(gap -> gap > 1800, arrayPopFront(arrayDifference(arraySort(groupArray(toUnixTimestamp(eventTime)))))) AS sessions,
       count() AS calls
FROM (SELECT identity_arn AS principal, eventTime FROM events
      WHERE identity_arn != '' AND eventTime >= '{day}' AND eventTime < '{next_day}')
GROUP BY principal

-- question: three busiest calls of each service
-- engine: cloudtarn duckdb polars chdb
SELECT eventSource, eventName, calls
FROM (SELECT eventSource, eventName, calls, row_number() OVER (PARTITION BY eventSource ORDER BY calls DESC, eventName) AS place
      FROM (SELECT eventSource, eventName, count(*) AS calls FROM {events} GROUP BY eventSource, eventName) AS counted) AS placed
WHERE place <= 3

-- question: first call of each principal
-- quick
-- engine: cloudtarn
SELECT principal, eventTime, eventName, sourceIPAddress
FROM (SELECT userIdentity.arn AS principal, eventTime, eventName, sourceIPAddress,
             row_number() OVER (PARTITION BY userIdentity.arn ORDER BY eventTime, eventID) AS place
      FROM $EDS_ID WHERE userIdentity.arn IS NOT NULL)
WHERE place = 1
-- engine: duckdb polars
SELECT identity_arn AS principal, eventTime, eventName, sourceIPAddress
FROM events WHERE identity_arn IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY identity_arn ORDER BY eventTime, eventID) = 1
-- engine: chdb
SELECT identity_arn AS principal, (argMin((eventTime, eventName, sourceIPAddress), (eventTime, eventID)) AS f).1, f.2, f.3
FROM events WHERE identity_arn != '' GROUP BY identity_arn

-- question: signed in, then changed
-- engine: cloudtarn
SELECT entry.userIdentity.arn AS principal, count(DISTINCT entry.eventID) AS sign_ins, count(DISTINCT change.eventID) AS changes
FROM $EDS_ID AS entry JOIN $EDS_ID AS change ON change.userIdentity.arn = entry.userIdentity.arn
WHERE entry.eventName = 'ConsoleLogin' AND element_at(entry.responseElements, 'ConsoleLogin') = 'Success'
  AND change.readOnly = false AND change.sessionCredentialFromConsole = 'true'
  AND change.eventTime BETWEEN entry.eventTime AND entry.eventTime + INTERVAL '1' HOUR
GROUP BY 1
-- engine: duckdb
SELECT entry.identity_arn AS principal, count(DISTINCT entry.eventID) AS sign_ins, count(DISTINCT change.eventID) AS changes
FROM events AS entry JOIN events AS change ON change.identity_arn = entry.identity_arn
WHERE entry.eventName = 'ConsoleLogin' AND entry.responseElements['ConsoleLogin'] = 'Success'
  AND NOT change.readOnly AND change.sessionCredentialFromConsole = 'true'
  AND change.eventTime BETWEEN entry.eventTime AND entry.eventTime + INTERVAL '1 hour'
GROUP BY 1
-- engine: chdb
SELECT entry.identity_arn AS principal, uniqExact(entry.eventID) AS sign_ins, uniqExact(change.eventID) AS changes
FROM (SELECT identity_arn, eventTime, eventID FROM events
      WHERE NOT readOnly AND sessionCredentialFromConsole = 'true' AND identity_arn != '') AS change
JOIN (SELECT identity_arn, eventTime, eventID FROM events
      WHERE eventName = 'ConsoleLogin'
        AND responseElements['ConsoleLogin'] = 'Success' AND identity_arn != '') AS entry
  ON change.identity_arn = entry.identity_arn
WHERE change.eventTime BETWEEN entry.eventTime AND entry.eventTime + INTERVAL 1 HOUR
GROUP BY 1

-- question: refused, then let in
-- quick
-- engine: cloudtarn
SELECT ok.userIdentity.arn AS principal, ok.eventName, count(DISTINCT ok.eventID) AS times
FROM $EDS_ID AS ok JOIN $EDS_ID AS refused
  ON refused.userIdentity.arn = ok.userIdentity.arn AND refused.eventName = ok.eventName
WHERE refused.errorCode = 'AccessDenied' AND ok.errorCode IS NULL
  AND ok.eventTime > refused.eventTime AND ok.eventTime < refused.eventTime + INTERVAL '1' HOUR
GROUP BY 1, 2
-- engine: duckdb polars
SELECT ok.identity_arn AS principal, ok.eventName, count(DISTINCT ok.eventID) AS times
FROM events AS ok JOIN events AS refused
  ON refused.identity_arn = ok.identity_arn AND refused.eventName = ok.eventName
WHERE refused.errorCode = 'AccessDenied' AND ok.errorCode IS NULL
  AND ok.eventTime > refused.eventTime AND ok.eventTime < refused.eventTime + INTERVAL '1 hour'
GROUP BY 1, 2
-- engine: chdb
SELECT ok.identity_arn AS principal, ok.eventName, uniqExact(ok.eventID) AS times
FROM (SELECT identity_arn, eventName, eventTime, eventID FROM events
      WHERE errorCode = '' AND (identity_arn, eventName) IN
            (SELECT identity_arn, eventName FROM events WHERE errorCode = 'AccessDenied' AND identity_arn != '')) AS ok
JOIN (SELECT identity_arn, eventName, eventTime FROM events WHERE errorCode = 'AccessDenied' AND identity_arn != '') AS refused
  ON refused.identity_arn = ok.identity_arn AND refused.eventName = ok.eventName
WHERE ok.eventTime > refused.eventTime AND ok.eventTime < refused.eventTime + INTERVAL 1 HOUR
GROUP BY 1, 2

-- question: what the refused did else
-- engine: cloudtarn
SELECT eventSource, eventName, count(*) AS calls FROM $EDS_ID
WHERE userIdentity.accessKeyId IN (SELECT userIdentity.accessKeyId FROM $EDS_ID WHERE errorCode = 'Client.UnauthorizedOperation')
GROUP BY eventSource, eventName
-- engine: duckdb polars
SELECT eventSource, eventName, count(*) AS calls FROM events
WHERE accessKeyId IN (SELECT accessKeyId FROM events WHERE errorCode = 'Client.UnauthorizedOperation')
GROUP BY eventSource, eventName
-- engine: chdb
SELECT eventSource, eventName, count() AS calls FROM events
WHERE accessKeyId IN (SELECT accessKeyId FROM events WHERE errorCode = 'Client.UnauthorizedOperation' AND accessKeyId != '')
GROUP BY eventSource, eventName
