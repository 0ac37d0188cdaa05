-- title: A snapshot shared with another account
-- answers: Which disk snapshots were shared, with whom, by whom?
-- severity: high
-- mitre: T1537
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'snapshotId') AS snapshot,
       json_extract_scalar(element_at(requestParameters, 'createVolumePermission'), '$.add.items[0].userId') AS receiver,
       userIdentity.arn AS principal, sourceIPAddress
FROM $EDS_ID
WHERE eventName = 'ModifySnapshotAttribute'
  AND errorCode IS NULL
  AND element_at(requestParameters, 'createVolumePermission') LIKE '{"add":%'
ORDER BY eventTime
